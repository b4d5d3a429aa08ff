#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "dialect/kserve_v1/event_settings.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::kserve_v1 {

/// Whether a request is a CloudEvent, in either mode.
bool is_event(const wire::HttpRequest& request);

/// The exchange in which an event is asked with its data, and answered with another event in the same mode (binary: in
/// headers; structured: as JSON); or INVALID_ARGUMENT for an event that can't be read.
using OpenedEvent = std::function<void(Result<std::shared_ptr<wire::HttpExchange>>)>;

/// Opens an event, and any other request as it is, for `then`, which is called once on the loop: now, or later where
/// the event is large and read by `offload` (null: all are read here). Errors are answered as to anybody. Loop thread.
void open_event(std::shared_ptr<wire::HttpExchange> exchange, const std::string& model, Offload* offload,
                OpenedEvent then, const EventSettings& settings = EventSettings::of_environment());

}  // namespace modelmill::kserve_v1
