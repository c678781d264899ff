# Written by `brokerctl setup render -o terraform`.
# The accounts, and where their credentials come from. Change it as you like, or
# leave it out where the aliases are configured elsewhere.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "source_profile" {
  description = "Profile of the shared AWS configuration for account 111122223333; null for the default credentials"
  type        = string
  default     = null
}

provider "aws" {
  alias               = "source"
  profile             = var.source_profile
  region              = "cn-north-1"
  allowed_account_ids = ["111122223333"]
}

variable "target_profile" {
  description = "Profile of the shared AWS configuration for account 444455556666; null for the default credentials"
  type        = string
  default     = null
}

provider "aws" {
  alias               = "target"
  profile             = var.target_profile
  region              = "cn-north-1"
  allowed_account_ids = ["444455556666"]
}
