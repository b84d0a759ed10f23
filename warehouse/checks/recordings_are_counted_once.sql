-- A path has one row; the same sound is analyzed in one row, the others being duplicates.
SELECT min(call_id) AS call_id, 'path' AS twice, count(*) AS row_count
FROM calls GROUP BY path HAVING count(*) > 1
UNION ALL
SELECT min(call_id), 'audio_sha256', count(*)
FROM calls WHERE status <> 'duplicate' AND audio_sha256 IS NOT NULL
GROUP BY audio_sha256 HAVING count(*) > 1;
