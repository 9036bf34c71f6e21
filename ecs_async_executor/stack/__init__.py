"""`ecs-async stack`: makes a whole set-up on AWS with CloudFormation, prints its variables, and takes it down again."""
