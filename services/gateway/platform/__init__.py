"""How the platform is doing: health, jobs and the indicators of the plan, asked of every service at the moment.

Owns no rows and hears no events: each service counts its own, and one that is away is shown as away. The targets of the
plan come from `policy/plan-indicators.yaml`. It deliberately keeps no history of figures.
"""
