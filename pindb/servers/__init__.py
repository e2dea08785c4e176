"""Asking database servers: health, lag, log positions."""
