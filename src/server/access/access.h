#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "dialect/http_router.h"
#include "runtime/metrics.h"
#include "server/access/access_config.h"
#include "wire/gatekeeper.h"

namespace modelmill {

/// Who may call what, set up for one server.
struct Access {
  std::shared_ptr<wire::Gatekeeper> gatekeeper;  // null: everyone may call everything
  std::string announcement;                      // a line; empty when every group is open
  std::optional<std::string> curl_options = "";  // see there; of inference
};

/// Reads the tokens and begins to watch their file, or makes a token and keeps it, where a rule asks for one. Where the
/// made token can't be kept in `state_directory`, management that would be closed anyway is off; that a group should
/// have a token by the operator's word is an error. `router` must outlive the wire; `log` may be null.
Result<Access> set_up_access(const AccessConfig& config, const std::string& state_directory,
                             const std::vector<wire::Endpoint>& endpoints, const HttpRouter& router,
                             HttpRouter::AccessLog log, MetricRegistry& metrics);

}  // namespace modelmill
