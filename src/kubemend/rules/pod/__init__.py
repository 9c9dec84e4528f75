"""Rules about pods and the containers in them (KM1xx)."""
