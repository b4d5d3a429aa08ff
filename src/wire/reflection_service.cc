#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "wire/grpc.h"
#include "wire/proto_chunks.h"

namespace modelmill::wire {
namespace {

namespace pb = google::protobuf;

/// The two versions of the protocol differ in nothing but their package.
struct V1 {
  using Request = ::grpc::reflection::v1::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1::ServerReflectionResponse;
  static constexpr char kMethod[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
};
struct V1Alpha {
  using Request = ::grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = ::grpc::reflection::v1alpha::ServerReflectionResponse;
  static constexpr char kMethod[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
};

void add_with_imports(const pb::FileDescriptor* file, std::set<const pb::FileDescriptor*>& seen,
                      std::vector<std::string>& out) {
  if (!seen.insert(file).second) return;
  pb::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.push_back(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) add_with_imports(file->dependency(i), seen, out);
}

/// Answers one question about the services of `methods`.
template <typename Version>
class Answerer {
 public:
  using Request = typename Version::Request;
  using Response = typename Version::Response;
  explicit Answerer(const GrpcMethods& methods) : methods_(methods) {}

  Response answer(const Request& request) const {
    Response response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    const pb::DescriptorPool& pool = *pb::DescriptorPool::generated_pool();
    switch (request.message_request_case()) {
      case Request::kFileByFilename:
        put_file(pool.FindFileByName(request.file_by_filename()), "file '" + request.file_by_filename() + "'",
                 response);
        break;
      case Request::kFileContainingSymbol:
        put_file(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                 "symbol '" + request.file_containing_symbol() + "'", response);
        break;
      case Request::kFileContainingExtension: put_extension(pool, request.file_containing_extension(), response); break;
      case Request::kAllExtensionNumbersOfType:
        put_extension_numbers(pool, request.all_extension_numbers_of_type(), response);
        break;
      case Request::kListServices:
        for (const std::string& name : service_names())
          response.mutable_list_services_response()->add_service()->set_name(name);
        break;
      default: put_error(Code::kInvalidArgument, "the request asks for nothing", response);
    }
    return response;
  }

 private:
  std::set<std::string> service_names() const {
    std::set<std::string> names;
    for (const pb::ServiceDescriptor* service : methods_.services()) names.insert(service->full_name());
    return names;
  }
  static void put_error(Code code, std::string message, Response& response) {
    response.mutable_error_response()->set_error_code(static_cast<int>(code));
    response.mutable_error_response()->set_error_message(std::move(message));
  }
  static void put_file(const pb::FileDescriptor* file, const std::string& what, Response& response) {
    if (file == nullptr) return put_error(Code::kNotFound, what + " is not known here", response);
    std::set<const pb::FileDescriptor*> seen;
    std::vector<std::string> files;
    add_with_imports(file, seen, files);
    for (std::string& bytes : files)
      response.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(bytes));
  }
  template <typename Extension>
  static void put_extension(const pb::DescriptorPool& pool, const Extension& wanted, Response& response) {
    const pb::Descriptor* type = pool.FindMessageTypeByName(wanted.containing_type());
    const pb::FieldDescriptor* field =
        type == nullptr ? nullptr : pool.FindExtensionByNumber(type, wanted.extension_number());
    put_file(field == nullptr ? nullptr : field->file(),
             "extension " + std::to_string(wanted.extension_number()) + " of '" + wanted.containing_type() + "'",
             response);
  }
  static void put_extension_numbers(const pb::DescriptorPool& pool, const std::string& name, Response& response) {
    const pb::Descriptor* type = pool.FindMessageTypeByName(name);
    if (type == nullptr) return put_error(Code::kNotFound, "type '" + name + "' is not known here", response);
    auto* numbers = response.mutable_all_extension_numbers_response();
    numbers->set_base_type_name(name);
    std::vector<const pb::FieldDescriptor*> extensions;
    pool.FindAllExtensions(type, &extensions);
    for (const pb::FieldDescriptor* extension : extensions) numbers->add_extension_number(extension->number());
  }

  const GrpcMethods& methods_;
};

template <typename Version>
class ReflectionHandler final : public WholeMessageHandler {
 public:
  ReflectionHandler(std::shared_ptr<GrpcCall> call, const GrpcMethods& methods)
      : call_(std::move(call)), answerer_(methods) {}

  void on_message(Bytes bytes) override {
    typename Version::Request request;
    if (!parse_from(bytes, request))
      return call_->finish(invalid_argument("the request is not a ServerReflectionRequest"));
    call_->send(to_chunks(answerer_.answer(request)));
  }
  void on_half_close() override { call_->finish(ok_status()); }
  void on_cancel(const Status&) override {}

 private:
  std::shared_ptr<GrpcCall> call_;
  Answerer<Version> answerer_;
};

template <typename Version>
void add_version(GrpcMethods& methods) {
  methods.add(
      Version::kMethod,
      [&methods](std::shared_ptr<GrpcCall> call) {
        return std::make_unique<ReflectionHandler<Version>>(std::move(call), methods);
      },
      ApiGroup::kMetadata);
  methods.describe(Version::Request::descriptor()->file()->FindServiceByName("ServerReflection"));
}

}  // namespace

void add_reflection_service(GrpcMethods& methods) {
  add_version<V1Alpha>(methods);
  add_version<V1>(methods);
}

}  // namespace modelmill::wire
