"""Every table of the schema. Alembic and the tests see only what is imported here."""

from discovery.models.asset_dependency import AssetDependency
from discovery.models.base import Base, new_id, utcnow
from discovery.models.client_account import ClientAccount
from discovery.models.data_import import DataImport
from discovery.models.discovery_flow import DiscoveryFlow
from discovery.models.engagement import Engagement
from discovery.models.import_field_mapping import ImportFieldMapping
from discovery.models.raw_import_record import RawImportRecord

__all__ = [
    "AssetDependency",
    "Base",
    "ClientAccount",
    "DataImport",
    "DiscoveryFlow",
    "Engagement",
    "ImportFieldMapping",
    "RawImportRecord",
    "new_id",
    "utcnow",
]
