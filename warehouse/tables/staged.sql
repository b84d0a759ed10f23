-- load: of the analyses in `batch` one row each, with what several tables need worked out once.
CREATE OR REPLACE TEMP TABLE staged AS
SELECT
    batch.call_id,
    batch.call_no,
    batch.call_id_note,
    landed.* EXCLUDE (filename),
    map_from_entries(
        list_transform(conversation.roles, lambda r: struct_pack(k := r.party, v := r.name))
    ) AS roles,
    list_filter(conversation.roles, lambda r: r.name = 'agent') AS agents,
    list_filter(conversation.roles, lambda r: r.name = 'customer') AS customers,
    len(list_filter(conversation.roles, lambda r: r.name = 'agent'))
        + coalesce(len(list_filter(empathy.moments, lambda m: m.kind = 'handover')), 0)
        AS agent_count,
    list_concat(floor.metrics, prosody.metrics, empathy.metrics) AS metrics
FROM (
    SELECT COLUMNS(lambda name: name <> 'peaks')  -- which pages read from the landing file
    FROM read_parquet($files, union_by_name = true, filename = true)
) AS landed
INNER JOIN batch
    ON batch.file = landed.filename[$prefix:]
    AND batch.landing_key = landed.landing_key
    AND batch.content_sha256 = landed.content_sha256
ORDER BY batch.call_no;
