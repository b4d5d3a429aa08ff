#include "client/authorities.h"

namespace modelmill {

namespace ssl = boost::asio::ssl;

Result<std::unique_ptr<ssl::context>> trust_authorities(const std::string& file, const std::string& setting) {
  auto tls = std::make_unique<ssl::context>(ssl::context::tls_client);
  boost::system::error_code error;
  if (file.empty())
    tls->set_default_verify_paths(error);
  else
    tls->load_verify_file(file, error);
  if (!error) return tls;
  const std::string what = file.empty() ? std::string("the system's authorities cannot be read: ")
                                        : "'" + file + "' has no certificate in PEM: ";
  return invalid_argument((setting.empty() ? "" : setting + ": ") + what + error.message());
}

}  // namespace modelmill
