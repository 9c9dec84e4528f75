"""Where order is decided: catalogues, the judge, the planner, the policy, the guard, the detector."""
