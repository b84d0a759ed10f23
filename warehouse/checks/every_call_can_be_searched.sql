-- The turns of every analyzed call are in the search index, as they are now, and nothing else is.
SELECT 'calls' AS table_name, calls.call_id
FROM calls
ANTI JOIN search.calls AS indexed USING (call_no, content_sha256)
WHERE calls.status = 'analyzed'
UNION ALL
SELECT 'search.calls', calls.call_id
FROM search.calls AS indexed
LEFT JOIN calls USING (call_no)
WHERE calls.content_sha256 IS DISTINCT FROM indexed.content_sha256
UNION ALL
SELECT 'search.postings', NULL
WHERE (SELECT coalesce(sum(terms), 0) FROM search.calls) <> (SELECT coalesce(sum(occurrences), 0) FROM search.postings);
