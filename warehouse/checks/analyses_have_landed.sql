-- Every call was loaded from an analysis that is known in the landing folder.
SELECT call_id, landing_key FROM calls ANTI JOIN landing.entries USING (landing_key, content_sha256);
