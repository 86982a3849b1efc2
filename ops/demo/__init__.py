"""The working life: a demonstration through the gateway's public API that checks every figure.

`people` makes the persons, `expectation` calculates what the law gives by a second, separately written arithmetic,
`story` plays, `report` prints. Nothing here reaches into a service.
"""
