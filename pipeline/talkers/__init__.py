"""Synthetic people who speak: voices, acting, portraits and their animation."""
