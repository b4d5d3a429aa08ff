#include "model/tf_serving_files.h"

#include <fstream>
#include <iterator>

#include "model/text_proto.h"
#include "tf_serving_config.pb.h"

namespace modelmill {
namespace {

template <typename Message>
Result<Message> read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return not_found("'" + file + "' can't be read");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  Message message;
  google::protobuf::TextFormat::ParseInfoTree places;
  if (const auto problems = parse_text_proto(text, file, message, &places); !problems.empty())
    return status_of(problems.front());
  return message;
}

}  // namespace

Result<TfMonitoringConfig> read_tf_monitoring_file(const std::string& file) {
  MM_ASSIGN_OR_RETURN(const auto message, read<tf_serving::MonitoringConfig>(file));
  return TfMonitoringConfig{message.prometheus_config().enable(), message.prometheus_config().path()};
}

Result<TfSslConfig> read_tf_ssl_file(const std::string& file) {
  MM_ASSIGN_OR_RETURN(const auto message, read<tf_serving::SSLConfig>(file));
  return TfSslConfig{message.server_key(), message.server_cert(), message.custom_ca(), message.client_verify()};
}

}  // namespace modelmill
