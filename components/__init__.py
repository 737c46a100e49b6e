"""Specs to AWS resources: what the Pulumi program deploys, from `topology` and the handlers' settings.

Every child has `parent=self`, an explicit `region=` where AWS has regions, and `RegionContext.tags` where AWS
takes tags; logical names start with the region, so a region that changes its role keeps its resources.
"""
