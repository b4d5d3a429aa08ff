#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "wire/http.h"

namespace modelmill::kserve_v1 {

/// What KServe's containers are told of the events that they answer with.
struct EventSettings {
  std::string type = "io.kserve.inference.response";
  std::string source = {};  // empty: io.kserve.inference.MODEL
  bool merge = false;       // what else the request's event says is said again
};
/// By CE_TYPE, CE_SOURCE and CE_MERGE of the process's environment, which is read once.
const EventSettings& event_settings_of_environment();

/// Where a request is a CloudEvent, what a model is asked is the event's data, and what it answers that of another
/// event, in the same mode (binary: in headers; structured: as JSON). Gives the exchange that does so, and of any other
/// request its own. INVALID_ARGUMENT for an event that can't be read. Errors are answered as to anybody. Loop thread.
Result<std::shared_ptr<wire::HttpExchange>> open_event(std::shared_ptr<wire::HttpExchange> exchange,
                                                       const std::string& model,
                                                       const EventSettings& settings = event_settings_of_environment());

}  // namespace modelmill::kserve_v1
