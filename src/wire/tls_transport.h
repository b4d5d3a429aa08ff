#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "wire/tls_credentials.h"
#include "wire/tls_handshakes.h"
#include "wire/transport.h"

namespace modelmill::wire {

/// What a listener that speaks TLS gives to each of its connections.
struct TlsTerms {
  std::shared_ptr<TlsCredentials> credentials;
  std::shared_ptr<TlsHandshakes> handshakes;
  Duration handshake_timeout;  // zero: none
};

/// TLS on the connected socket `fd` of address family `family`, which it owns. The handshake is part of the first read:
/// one that fails, or takes too long, ends that read as failed. Call on the loop's thread.
std::unique_ptr<Transport> make_tls_transport(Loop& loop, int fd, int family, const TlsTerms& terms, std::string peer);

}  // namespace modelmill::wire
