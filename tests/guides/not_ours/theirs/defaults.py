"""The settings that come with the application."""

from __future__ import annotations

DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"}}
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = ["tests.guides.not_ours.theirs"]
