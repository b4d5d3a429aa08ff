#pragma once

#include <string>

#include "catalog/catalog.h"

namespace modelmill::description {

/// The server's HTTP interface in OpenAPI 3.1, as JSON: what every server has, and how each model that is served now is
/// asked by /predict. `tf_metrics_path`: where TensorFlow Serving's metrics are.
std::string open_api(const Catalog& catalog, const std::string& server_version, const std::string& tf_metrics_path);

}  // namespace modelmill::description
