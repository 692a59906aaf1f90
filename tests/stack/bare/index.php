<?php echo gethostname();
