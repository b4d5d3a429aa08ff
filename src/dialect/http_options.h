#pragma once

#include <memory>

#include "base/clock.h"
#include "dialect/http_compression.h"
#include "runtime/offload.h"

namespace modelmill {

class HeaderForwarding;
class InferObserver;

/// What whoever sets the server up tells the dialects of HTTP.
struct HttpOptions {
  /// What compressed bodies may inflate to.
  InflateLimit inflate = {};
  /// Whether every answer says where its time went, or only where the client asks.
  bool server_timing = false;
  /// Where large bodies are parsed and large answers written; null: on the loop. Outlives the wire.
  Offload* offload = nullptr;
  /// Who is told of the inferences that come by the dialect; null: nobody.
  std::shared_ptr<InferObserver> observer = nullptr;
  /// What an inference may take: later its client is told so. 0: as long as it waits.
  Duration timeout{};
  /// Which headers of V2's requests become parameters; null: none.
  std::shared_ptr<const HeaderForwarding> forwarding = nullptr;
};

}  // namespace modelmill
