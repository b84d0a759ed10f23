-- How far a share lies from another one: Kullback & Leibler 1951, of yes and no, natural logarithm.
CREATE OR REPLACE MACRO relative_entropy(own, other) AS
    CASE WHEN own > 0 THEN own * ln(own / other) ELSE 0.0 END
    + CASE WHEN own < 1 THEN (1 - own) * ln((1 - own) / (1 - other)) ELSE 0.0 END;

COMMENT ON MACRO relative_entropy IS 'The relative entropy of a share and another one (Kullback & Leibler 1951), natural logarithm; 0 where they are alike.';
