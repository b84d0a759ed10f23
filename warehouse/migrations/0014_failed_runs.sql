-- How often a call has failed, so that it can be left alone until somebody has looked at it.

ALTER TABLE calls ADD COLUMN failed_runs BIGINT;
COMMENT ON COLUMN calls.failed_runs IS 'Runs in a row that ended with this call failed; 0 when it did not, or was put back by warmline retry.';
