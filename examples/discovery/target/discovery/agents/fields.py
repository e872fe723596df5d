"""The fields of an asset, and what other systems call them."""

from __future__ import annotations

CRITICAL_FIELDS: dict[str, tuple[str, ...]] = {
    "hostname": ("host", "host_name", "server_name", "computer_name", "fqdn"),
    "name": ("asset_name", "ci_name", "display_name", "label"),
    "asset_type": ("type", "ci_type", "ci_class", "category", "kind"),
    "ip_address": ("ip", "ipv4", "primary_ip", "address"),
    "operating_system": ("os", "platform", "os_name"),
    "environment": ("env", "stage", "landscape", "tier"),
    "business_criticality": ("criticality", "priority", "importance"),
    "business_owner": ("owner", "app_owner", "responsible"),
    "technical_owner": ("admin", "tech_contact", "support_group"),
    "application_name": ("application", "app", "app_name", "service"),
    "cpu_cores": ("cpu", "cpus", "vcpu", "cores", "processors"),
    "memory_gb": ("memory", "ram", "ram_gb", "mem"),
    "storage_gb": ("storage", "disk", "disk_gb", "capacity"),
    "location": ("site", "region", "city"),
    "datacenter": ("data_center", "dc", "facility"),
    "department": ("dept", "division", "cost_center"),
    "status": ("state", "lifecycle", "operational_status"),
    "dependencies": ("depends_on", "connections", "talks_to"),
    "six_r_strategy": ("strategy", "migration_strategy", "disposition"),
}

SECONDARY_FIELDS: dict[str, tuple[str, ...]] = {
    "asset_subtype": ("subtype", "sub_type"),
    "os_version": ("osversion", "platform_version", "build"),
    "manufacturer": ("vendor", "make"),
    "model": ("product", "hardware_model"),
    "serial_number": ("serial", "sn"),
    "asset_tag": ("tag", "inventory_number"),
    "mac_address": ("mac", "physical_address"),
    "subnet": ("network_segment", "cidr"),
    "vlan": ("vlan_id",),
    "gateway": ("default_gateway",),
    "dns_name": ("dns",),
    "rack": ("rack_location",),
    "cluster": ("cluster_name",),
    "hypervisor": ("virtualization", "vm_host"),
    "virtual": ("is_virtual", "vm"),
    "database_name": ("database", "db", "schema"),
    "database_version": ("db_version",),
    "port": ("listen_port", "tcp_port"),
    "protocol": ("transport",),
    "url": ("endpoint", "link"),
    "installed_software": ("software", "packages"),
    "patch_level": ("patches", "kb"),
    "last_seen": ("last_scan", "seen_at"),
    "first_seen": ("discovered_at",),
    "cpu_utilization": ("cpu_usage", "cpu_percent"),
    "memory_utilization": ("memory_usage", "mem_percent"),
    "disk_utilization": ("disk_usage", "disk_percent"),
    "network_utilization": ("bandwidth", "throughput"),
    "backup_policy": ("backup",),
    "compliance_scope": ("compliance", "regulation"),
    "support_contract": ("support", "contract"),
    "annual_cost": ("cost", "tco"),
    "notes": ("comment", "comments", "description"),
}


def normalised(name: str) -> str:
    """A column name in the spelling that fields use: `Host Name` -> `host_name`."""
    words = "".join(char if char.isalnum() else " " for char in name).lower().split()
    return "_".join(words)
