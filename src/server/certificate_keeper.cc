#include "server/certificate_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace modelmill {
namespace {

/// Below it an automatic renewal has failed, and there is still time to see to it.
constexpr int64_t kWarnDays = 14;

}  // namespace

int64_t days_left(std::chrono::system_clock::time_point when, std::chrono::system_clock::time_point now) {
  return std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::hours>(when - now).count() / 24);
}

CertificateKeeper::CertificateKeeper(const wire::TlsOptions& options, Duration interval)
    : watcher_(
          options.files(), [this] { reload(); }, interval) {}

Result<std::unique_ptr<CertificateKeeper>> CertificateKeeper::start(const wire::TlsOptions& options,
                                                                    Duration interval) {
  std::unique_ptr<CertificateKeeper> keeper(new CertificateKeeper(options, interval));
  MM_ASSIGN_OR_RETURN(keeper->credentials_, wire::TlsCredentials::load(options));
  keeper->warn_of_its_end();
  keeper->watcher_.start();
  return keeper;
}

void CertificateKeeper::reload() {
  if (const Status status = credentials_->reload(); !status.ok()) {
    Log::error("the TLS files have changed and can't be used; those from before stay in use",
               {{"reason", status.message()}});
    return;
  }
  Log::info("TLS files read anew", {{"certificate", credentials_->options().certificate}});
  warn_of_its_end();
}

void CertificateKeeper::warn_of_its_end() const {
  const int64_t days = days_left(credentials_->current()->expires(), std::chrono::system_clock::now());
  if (days < kWarnDays)
    Log::warning("the TLS certificate expires soon",
                 {{"certificate", credentials_->options().certificate}, {"days", days}});
}

}  // namespace modelmill
