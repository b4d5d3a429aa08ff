#include "dialect/admin/action_message.h"

#include <google/protobuf/util/json_util.h>

namespace modelmill::admin {

Result<std::string> json_of(const google::protobuf::Message& message) {
  std::string json;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &json); !status.ok())
    return invalid_argument("the " + std::string(message.GetDescriptor()->name()) +
                            " has no form as JSON: " + std::string(status.message()));
  return json;
}

Status read_document(const std::string& json, google::protobuf::Message& into) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &into, options);
  if (status.ok()) return ok_status();
  return internal("the answer is no " + std::string(into.GetDescriptor()->name()) + ": " +
                  std::string(status.message()) + "; ask by HTTP");
}

}  // namespace modelmill::admin
