#pragma once

#include <chrono>

#include "storage/web_client.h"

namespace modelmill {

/// For the services that hand out credentials: answers are small, and soon there.
inline WebClient::Options credential_requests(const Environment& environment) {
  WebClient::Options options;
  options.environment = environment;
  options.call_timeout = std::chrono::seconds(30);
  return options;
}

/// The same for those on the machine's own link, which answer at once or are not there.
inline WebClient::Options nearby_credential_requests(const Environment& environment) {
  WebClient::Options options = credential_requests(environment);
  options.tries = 2;
  options.connect_timeout = std::chrono::seconds(1);
  options.call_timeout = std::chrono::seconds(5);
  return options;
}

}  // namespace modelmill
