import { Route, Routes } from "react-router";

import { ProviderPage } from "./ProviderPage";
import { ProvidersPage } from "./ProvidersPage";

export default function ProvidersPages() {
  return (
    <Routes>
      <Route index element={<ProvidersPage />} />
      <Route path="new" element={<ProviderPage />} />
      <Route path=":id" element={<ProviderPage />} />
    </Routes>
  );
}
