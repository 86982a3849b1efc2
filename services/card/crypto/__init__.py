"""Signatures, digests and seals of the two profiles: I (ES256, SHA-256, AES-256-GCM) and G (SM2, SM3, SM4-GCM).

The same structures are signed with either; which algorithm counts is fixed by the key, never by what a message says.
"""
