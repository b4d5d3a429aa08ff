#pragma once

#include "base/result.h"
#include "repository/torchserve_properties.h"
#include "server/server_config.h"

namespace modelmill {

/// What of where to listen the command line has said.
struct AddressOptions {
  bool host = false;
  bool port = false;
};

/// Takes what Vertex AI puts into a container's environment: AIP_HTTP_PORT, unless a port was given, and then every
/// address, unless one was given; and the paths AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE. INVALID_ARGUMENT for a port
/// that is none.
Status apply_cloud_environment(const Variables& variables, const AddressOptions& given, ServerConfig& config);

/// The value of AIP_HTTP_PORT; 0: it is not set.
Result<int> vertex_port(const Variables& variables);

}  // namespace modelmill
