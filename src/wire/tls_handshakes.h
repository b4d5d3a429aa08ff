#pragma once

#include <memory>
#include <string_view>

#include "runtime/metrics.h"

namespace modelmill::wire {

/// Counts handshakes, for modelmill_wire_tls_handshakes_total. Thread-safe.
class TlsHandshakes {
 public:
  explicit TlsHandshakes(MetricRegistry& metrics);

  /// `version` is OpenSSL's name, "TLSv1.3".
  void succeeded(std::string_view version);
  void failed() { failed_->add(); }
  void timed_out() { timed_out_->add(); }

 private:
  std::shared_ptr<Counter> ok_12_;
  std::shared_ptr<Counter> ok_13_;
  std::shared_ptr<Counter> failed_;
  std::shared_ptr<Counter> timed_out_;
};

}  // namespace modelmill::wire
