variable "name" {
  type        = string
  default     = "airflow"
  description = "What everything is named after, as a stack's name: small letters, digits and single hyphens."
  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 32
    error_message = "Up to 32 small letters, digits and single hyphens; a letter first."
  }
}

variable "network" {
  type        = string
  default     = "new-nat"
  description = "new-nat: a VPC with a NAT gateway. new-endpoints: a VPC without a way to the internet, only VPC endpoints. existing: VpcId and SubnetIds."
  validation {
    condition     = contains(["new-nat", "new-endpoints", "existing"], var.network)
    error_message = "One of new-nat, new-endpoints, existing."
  }
}

variable "vpc_cidr" {
  type        = string
  default     = "10.42.0.0/16"
  description = "Addresses of a new VPC, /16 to /18. Each of its subnets gets 4,091 of them."
  validation {
    condition     = can(regex("^\\d{1,3}(\\.\\d{1,3}){3}/(16|17|18)$", var.vpc_cidr))
    error_message = "Addresses of a new VPC, /16 to /18. Each of its subnets gets 4,091 of them."
  }
}

variable "vpc_id" {
  type        = string
  default     = ""
  description = "An existing VPC (Network=existing)."
  validation {
    condition     = can(regex("^(vpc-[0-9a-f]+)?$", var.vpc_id))
    error_message = "An existing VPC (Network=existing)."
  }
  validation {
    condition     = var.network != "existing" || var.vpc_id != ""
    error_message = "Network=existing needs VpcId and SubnetIds."
  }
}

variable "subnet_ids" {
  type        = list(string)
  default     = []
  description = "Private subnets of the existing VPC in at least two zones, with a way to ECR, CloudWatch Logs, S3 and Secrets Manager."
  validation {
    condition     = var.network != "existing" || length(var.subnet_ids) > 0
    error_message = "Network=existing needs VpcId and SubnetIds."
  }
}

variable "image_tag" {
  type        = string
  default     = ""
  description = "Tag of the image in the stack's repository. Empty: latest; and Airflow's services don't start yet."
  validation {
    condition     = can(regex("^([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?$", var.image_tag))
    error_message = "Tag of the image in the stack's repository. Empty: latest; and Airflow's services don't start yet."
  }
}

variable "architecture" {
  type        = string
  default     = "X86_64"
  description = "Processor that the image is built for."
  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "One of X86_64, ARM64."
  }
}

variable "task_cpu" {
  type        = string
  default     = "1024"
  description = "CPU units of a task's container; 1024 are one vCPU."
  validation {
    condition     = contains(["256", "512", "1024", "2048", "4096", "8192", "16384"], var.task_cpu)
    error_message = "One of 256, 512, 1024, 2048, 4096, 8192, 16384."
  }
}

variable "task_memory" {
  type        = string
  default     = "2048"
  description = "MiB of a task's container. Fargate takes certain pairs with TaskCpu only."
  validation {
    condition     = can(regex("^\\d+$", var.task_memory))
    error_message = "MiB of a task's container. Fargate takes certain pairs with TaskCpu only."
  }
  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
  validation {
    condition = contains(lookup({
      "256"   = [512, 1024, 2048]
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
    }, var.task_cpu, []), tonumber(var.task_memory))
    error_message = "Fargate takes certain pairs of TaskCpu and TaskMemory only."
  }
}

variable "spot" {
  type        = string
  default     = "no"
  description = "yes: four of five tasks run on Fargate Spot, and may be interrupted."
  validation {
    condition     = contains(["no", "yes"], var.spot)
    error_message = "One of no, yes."
  }
}

variable "airflow" {
  type        = string
  default     = "ecs"
  description = "ecs: scheduler, API server, Dag processor and triggerer run on ECS, too. elsewhere: you run them."
  validation {
    condition     = contains(["ecs", "elsewhere"], var.airflow)
    error_message = "One of ecs, elsewhere."
  }
}

variable "execution_api_url" {
  type        = string
  default     = ""
  description = "Airflow=elsewhere: where containers reach your API server, such as https://airflow.example.com/execution/"
  validation {
    condition     = can(regex("^(https?://.+/execution/)?$", var.execution_api_url))
    error_message = "Airflow=elsewhere: where containers reach your API server, such as https://airflow.example.com/execution/"
  }
  validation {
    condition     = var.airflow != "elsewhere" || var.execution_api_url != ""
    error_message = "Airflow=elsewhere needs ExecutionApiUrl, where containers reach your API server."
  }
}

variable "database" {
  type        = string
  default     = "db.t4g.small"
  description = "Instance class of a PostgreSQL for the metadata database, such as db.t4g.medium. none: you have one (Airflow=elsewhere)."
  validation {
    condition     = can(regex("^(none|db\\.[a-z0-9]+\\.[a-z0-9]+)$", var.database))
    error_message = "Instance class of a PostgreSQL for the metadata database, such as db.t4g.medium. none: you have one (Airflow=elsewhere)."
  }
  validation {
    condition     = var.airflow != "ecs" || var.database != "none"
    error_message = "Airflow=ecs needs a Database."
  }
}

variable "log_days" {
  type        = number
  default     = 30
  description = "Days for which logs are kept."
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "One of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731."
  }
}
