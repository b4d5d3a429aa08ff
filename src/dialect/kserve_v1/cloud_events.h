#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/offload.h"
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

/// Whether a request is a CloudEvent, in either mode.
bool is_event(const wire::HttpRequest& request);

/// The exchange in which an event is asked with its data, and answered with another event in the same mode (binary: in
/// headers; structured: as JSON); or INVALID_ARGUMENT for an event that can't be read.
using OpenedEvent = std::function<void(Result<std::shared_ptr<wire::HttpExchange>>)>;

/// Opens an event, and any other request as it is, for `then`, which is called once on the loop: now, or later where
/// the event is large and read by `offload` (null: all are read here). Errors are answered as to anybody. Loop thread.
void open_event(std::shared_ptr<wire::HttpExchange> exchange, const std::string& model, Offload* offload,
                OpenedEvent then, const EventSettings& settings = event_settings_of_environment());

}  // namespace modelmill::kserve_v1
