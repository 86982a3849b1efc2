"""The development identity provider: an honest simulation of the identity provider that asserts who a person is.

It is a process of its own that speaks OpenID Connect, so that the gateway meets nothing else in production. It says on
every page and in every token what it is (`env: "dev"`), refuses to start with `HRSS_ENV=prod`, and checks nothing: a
persona is picked from a list and the assurance level is chosen openly, no face and no password is pretended.

Owns: personas (staff fixed, citizens registered at run time, sealed on disk), its signing key, client secrets.
Does not: put a name or an identity number into a token, know any business of the platform.
"""
