import { Route, Routes } from "react-router";

import { ClientPage } from "./ClientPage";
import { ClientsPage } from "./ClientsPage";

export default function ClientsPages() {
  return (
    <Routes>
      <Route index element={<ClientsPage />} />
      <Route path=":id/*" element={<ClientPage />} />
    </Routes>
  );
}
