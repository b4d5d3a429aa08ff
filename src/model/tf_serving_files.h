#pragma once

#include <string>

#include "base/result.h"

namespace modelmill {

/// TensorFlow Serving's --monitoring_config_file.
struct TfMonitoringConfig {
  bool enable = false;
  std::string path;  // empty: the usual one
};

/// TensorFlow Serving's --ssl_config_file. PEM texts, not files.
struct TfSslConfig {
  std::string server_key;
  std::string server_cert;
  std::string custom_ca;
  bool client_verify = false;
};

/// An error names file, line and column.
Result<TfMonitoringConfig> read_tf_monitoring_file(const std::string& file);
Result<TfSslConfig> read_tf_ssl_file(const std::string& file);

}  // namespace modelmill
