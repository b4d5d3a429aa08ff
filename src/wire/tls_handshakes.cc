#include "wire/tls_handshakes.h"

namespace modelmill::wire {
namespace {

constexpr char kName[] = "modelmill_wire_tls_handshakes_total";
constexpr char kHelp[] = "TLS handshakes by their result, and those that succeeded by version";

}  // namespace

TlsHandshakes::TlsHandshakes(MetricRegistry& metrics)
    : ok_12_(metrics.counter(kName, kHelp, {{"result", "ok"}, {"version", "TLSv1.2"}})),
      ok_13_(metrics.counter(kName, kHelp, {{"result", "ok"}, {"version", "TLSv1.3"}})),
      failed_(metrics.counter(kName, kHelp, {{"result", "failed"}, {"version", ""}})),
      timed_out_(metrics.counter(kName, kHelp, {{"result", "timeout"}, {"version", ""}})) {}

void TlsHandshakes::succeeded(std::string_view version) { (version == "TLSv1.2" ? ok_12_ : ok_13_)->add(); }

}  // namespace modelmill::wire
