"""The edge: what stands between HTTP/JSON outside and gRPC inside. It never computes an amount.

Reading order: `contract` (routes from the descriptors) → `router` → `decoder` and `encoder` (JSON ↔ messages) →
`problems` (refusals as RFC 9457) → `tokens` and `identity` (who is calling) → `limits` and `backends` → `transcoder`,
which joins them into one ASGI application for `/v1`.
"""
