#pragma once

#include <memory>

#include "dialect/kserve_v2/log_settings.h"
#include "dialect/kserve_v2/shared_regions.h"
#include "serve/trace/tracer.h"

namespace modelmill::kserve_v2 {

/// What clients may change of a running server, models apart; the same for HTTP and gRPC.
struct Settings {
  std::shared_ptr<SharedRegions> regions;
  std::shared_ptr<LogSettings> log;
  Tracer* tracer = nullptr;  // null: there is none
};

}  // namespace modelmill::kserve_v2
