#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {

/// What settings.json and MLSERVER_* have said so far, with MLServer's defaults.
struct MlserverDraft {
  Launch launch;

  bool debug = false;
  int parallel_workers = 1;
  int stop_seconds = -1;  // below 0: not said
  bool load_models = true;
  std::string host = "0.0.0.0";
  int http_port = 8080;
  int grpc_port = 8081;
  int metrics_port = 8082;
  int64_t message_bytes = 0;  // 0: not said
  bool metrics = true;
  std::string metrics_prefix = "rest_server";
  bool structured_log = false;
  bool cache = false;
  int cache_size = 100;  // in answers
};

/// A field of MLServer's settings. `apply` sees its value: a text as it is, all else as JSON. Of what it is given null
/// for, which only some fields may be, the value is "null".
struct MlserverSetting : FlagText {
  Status (*apply)(MlserverDraft& draft, const std::string& value) = nullptr;
};

/// Every field, in MLServer's order.
const std::vector<MlserverSetting>& mlserver_settings();

/// Takes what counts of FOLDER/settings.json and, for fields that it does not have, of MLSERVER_FIELD in the
/// environment. The ignored fields that are given go to `ignored`. INVALID_ARGUMENT names the field and where it is
/// from.
Status read_mlserver_settings(const std::string& folder, const Environment& environment, MlserverDraft& draft,
                              std::vector<const MlserverSetting*>& ignored);

}  // namespace modelmill::personality
