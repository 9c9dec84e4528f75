"""What the objects of one kind say: quotas, policies, volumes, sets, jobs, endpoints, autoscalers."""
