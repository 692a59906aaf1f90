"""What the WSGI server loads."""

from shop_api.app import create_app, make_catalogue
from shop_api.service_key import ServiceKey
from shop_api.settings import Settings

settings = Settings.load()
catalogue = make_catalogue(settings)
app = create_app(settings.mode, catalogue, ServiceKey(settings.service_key))
