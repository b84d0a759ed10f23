INSERT INTO metrics BY NAME
WITH measured AS (
    SELECT
        call_id,
        call_no,
        roles,
        speech.source AS speaker_source,
        metric_versions,
        unnest(metrics) AS m
    FROM staged
)
SELECT
    call_id,
    call_no,
    m.party,
    roles[m.party] AS role,
    m.name,
    m.value,
    m.numerator,
    m.denominator,
    m.observations,
    m.coverage,
    m.confidence,
    speaker_source,
    metric_versions[m.name] AS version,
    m.reason,
    m.evidence
FROM measured
ORDER BY m.name, call_no;
