"""The pages: each shows one thing and calls one workflow; `app/web/page.py` lists them."""
