#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "base/result.h"

namespace modelmill {

/// A TLS client's context, which trusts the authorities in `file`, in PEM; empty: the system's. The error begins with
/// `setting`, which is what has named the file.
Result<std::unique_ptr<boost::asio::ssl::context>> trust_authorities(const std::string& file,
                                                                     const std::string& setting);

}  // namespace modelmill
