-- A measure without a value says why.
SELECT call_id, party, name FROM metrics WHERE value IS NULL AND reason IS NULL;
