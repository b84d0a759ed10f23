CREATE VIEW profile_components AS
SELECT component, direction, min_exposure
FROM (VALUES
    ('answering', 1, 1), ('listening', 1, 3), ('exploring', 1, 2), ('acting', 1, 1),
    ('giving_room', -1, 0.25), ('restraint', -1, 3), ('steadiness', -1, 1)
) AS components (component, direction, min_exposure);

COMMENT ON VIEW profile_components IS 'One row a component of the empathy profile.';
COMMENT ON COLUMN profile_components.component IS 'The component.';
COMMENT ON COLUMN profile_components.direction IS '1 if more is better by the literature, -1 if less is.';
COMMENT ON COLUMN profile_components.min_exposure IS 'With a smaller exposure than this there is no score.';
