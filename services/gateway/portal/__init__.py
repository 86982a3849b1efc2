"""The pages (网上办事大厅): what citizens and staff see in a browser, rendered here and working without script.

Every page takes the same way as everybody else: it calls the public API under `/v1` with the token of the visitor's
login, in this process and without a socket. Nothing here imports a service, and no rule of insurance stands here.

Reading order: `texts` (catalogues), `words` (amounts and days in words), `public_api`, `sessions`, `login`, `visit`
(one request of one visitor), `page` (what a page declares), `portal` (how pages are served), `forms`, then the pages.
Owns: the browser sessions. Deliberately does not: keep what people fill in (cases do), or compute anything.
"""
