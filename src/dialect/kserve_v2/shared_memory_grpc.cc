#include "dialect/kserve_v2/shared_memory_grpc.h"

#include <utility>

#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/unary_proto.h"
#include "grpc_service.pb.h"

namespace modelmill::kserve_v2 {
namespace {

using namespace inference;
using wire::ApiGroup;

/// A method that changes the regions, and answers with no more than how it went.
template <typename Request, typename Response, typename Change>
void add_change(wire::GrpcMethods& methods, std::string_view name, Change change) {
  add_unary<Request>(methods, ApiGroup::kManagement, method_path(name),
                     [change = std::move(change)](const Request& request) -> Result<Response> {
                       MM_RETURN_IF_ERROR(change(request));
                       return Response();
                     });
}

Result<SystemSharedMemoryStatusResponse> system_status(const SharedRegions& regions, const std::string& name) {
  MM_ASSIGN_OR_RETURN(const auto list, regions.list(name));
  SystemSharedMemoryStatusResponse out;
  for (const auto& region : list) {
    auto& entry = (*out.mutable_regions())[region->name];
    entry.set_name(region->name);
    entry.set_key(region->key);
    entry.set_offset(region->offset);
    entry.set_byte_size(region->size);
  }
  return out;
}

Result<CudaSharedMemoryStatusResponse> cuda_status(const SharedRegions& regions, const std::string& name) {
  MM_ASSIGN_OR_RETURN(const auto list, regions.list(name, /*on_gpu=*/true));
  CudaSharedMemoryStatusResponse out;
  for (const auto& region : list) {
    auto& entry = (*out.mutable_regions())[region->name];
    entry.set_name(region->name);
    entry.set_device_id(static_cast<uint64_t>(region->gpu));
    entry.set_byte_size(region->size);
  }
  return out;
}

}  // namespace

void add_shared_memory_methods(wire::GrpcMethods& methods, const std::shared_ptr<SharedRegions>& regions) {
  add_unary<SystemSharedMemoryStatusRequest>(
      methods, ApiGroup::kMetadata, method_path("SystemSharedMemoryStatus"),
      [regions](const SystemSharedMemoryStatusRequest& in) { return system_status(*regions, in.name()); });
  add_change<SystemSharedMemoryRegisterRequest, SystemSharedMemoryRegisterResponse>(
      methods, "SystemSharedMemoryRegister", [regions](const SystemSharedMemoryRegisterRequest& in) {
        return regions->add(in.name(), in.key(), in.offset(), in.byte_size());
      });
  add_change<SystemSharedMemoryUnregisterRequest, SystemSharedMemoryUnregisterResponse>(
      methods, "SystemSharedMemoryUnregister", [regions](const SystemSharedMemoryUnregisterRequest& in) {
        return in.name().empty() ? regions->remove_all() : regions->remove(in.name());
      });
  add_unary<CudaSharedMemoryStatusRequest>(
      methods, ApiGroup::kMetadata, method_path("CudaSharedMemoryStatus"),
      [regions](const CudaSharedMemoryStatusRequest& in) { return cuda_status(*regions, in.name()); });
  add_change<CudaSharedMemoryRegisterRequest, CudaSharedMemoryRegisterResponse>(
      methods, "CudaSharedMemoryRegister", [regions](const CudaSharedMemoryRegisterRequest& in) {
        return regions->add_cuda(in.name(), in.raw_handle(), in.device_id(), in.byte_size());
      });
  add_change<CudaSharedMemoryUnregisterRequest, CudaSharedMemoryUnregisterResponse>(
      methods, "CudaSharedMemoryUnregister", [regions](const CudaSharedMemoryUnregisterRequest& in) {
        return in.name().empty() ? regions->remove_all(/*on_gpu=*/true) : regions->remove(in.name(), /*on_gpu=*/true);
      });
}

}  // namespace modelmill::kserve_v2
