"""Usual words: what the values and the columns of shops' exports usually say."""

NOT_FOR_SALE = (
    *("draft", "archived", "private", "pending", "trash", "hidden", "inactive", "disabled"),
    *("deleted", "discontinued", "unpublished", "not visible individually", "offline", "unlisted"),
    *("eol", "end of life", "obsolete", "retired", "suspended", "blocked", "rejected", "not live"),
    *("inaktiv", "deaktiviert", "entwurf", "archiviert", "unsichtbar", "gesperrt", "ausgelaufen"),
    *("inactif", "brouillon", "inactivo", "borrador", "inattivo", "bozza", "inactief", "concept"),
)
FOR_SALE = (
    *("active", "published", "publish", "enabled", "visible", "online", "live", "public", "shown"),
    *("approved", "current", "released", "for sale", "sellable", "everywhere", "both", "global"),
    *(
        "catalog",
        "search",
        "catalog, search",
        "catalog,search",
        "catalog and search",
        "web",
        "open",
    ),
    *("new", "normal", "standard", "regular", "simple", "complete", "ok", "all", "in stock"),
    *("aktiv", "sichtbar", "freigegeben", "ver\u00f6ffentlicht", "actif", "publi\u00e9"),
    *("activo", "publicado", "attivo", "pubblicato", "actief", "shop and search results"),
)
"""Words of a status that need no note; others are noted, and the item is for sale."""
NULLS = (
    *("NULL", "null", "Null", "\\N", "(null)", "NaN", "nan"),
    *("None", "N/A", "n/a", "#N/A", "<NA>"),
)
GUESTS = (
    *("0", "-1", "-", "guest", "Guest", "GUEST", "anonymous", "Anonymous", "unknown", "Unknown"),
    *("undefined", "gast", "Gast", "Gastbestellung", "Gastkonto", "invit\u00e9", "Invit\u00e9"),
    *("invitado", "Invitado", "ospite", "Ospite", "not logged in", "NOT LOGGED IN", "(not set)"),
    "00000000-0000-0000-0000-000000000000",
)
REFUND_KINDS = ("refund", "refunded", "return", "returned")
STATUS = (
    *("status", "published", "visibility", "visibility in catalog", "product online", "active"),
    *("is active", "enabled", "is enabled", "is published", "visible", "is visible"),
    *("post status", "product status", "item status", "online status", "publish status", "online"),
    *("publication status", "state", "lifecycle", "lifecycle status", "lifecycle state"),
    *("sellable", "is sellable", "saleable", "is saleable", "salable", "for sale", "is online"),
    *("aktiv", "sichtbar", "sichtbarkeit", "freigegeben", "ver\u00f6ffentlicht", "actif", "activo"),
    *("attivo", "actief", "listing status", "publishing status"),
)
DELETED = (
    *("deleted", "deleted at", "is deleted", "archived", "archived at", "is archived"),
    *("discontinued", "is discontinued", "discontinued at", "discontinued date", "disabled"),
    *("is disabled", "hidden", "is hidden", "inactive", "is inactive", "removed", "removed at"),
    *("draft", "is draft", "unpublished", "unpublished at", "gel\u00f6scht", "gesperrt"),
)
"""Columns in which a date, or a word for yes, means not for sale; in any case, _ for a space."""
PUBLISHED_AT = ("published at", "published on", "publication date")
"""Columns of which an empty value means not for sale yet."""
QUANTITY = ("quantity", "Quantity", "qty", "Qty", "qty_ordered", "item_quantity")
RETURNED = (
    *("refunded_quantity", "quantity_refunded", "qty_refunded", "returned_quantity"),
    *("quantity_returned", "qty_returned", "return_quantity", "refund_quantity", "qty_canceled"),
    *("Refunded quantity", "Returned quantity", "Returned Qty", "Refunded Qty", "Qty Refunded"),
)
"""Columns of how many of a row's quantity were given back."""
IN_STOCK = (
    *("", "true", "t", "yes", "y", "on", "x", "instock", "available", "limitedavailability"),
    *("ja", "oui", "si", "s\u00ed", "sim", "auflager", "lieferbar", "verf\u00fcgbar", "enstock"),
    *(
        "disponible",
        "disponibile",
        "disponivel",
        "dispon\u00edvel",
        "opvoorraad",
        "low",
        "lowstock",
    ),
    *("lastfew", "limited", "availablenow", "sofortlieferbar", "vorr\u00e4tig", "lagernd", "few"),
    *(
        "dost\u0119pny",
        "skladem",
        "ilager",
        "p\u00e5lager",
        "lagervara",
        "\u5728\u5eab\u3042\u308a",
    ),
    *("\u6709\u8d27", "\u0432\u043d\u0430\u043b\u0438\u0447\u0438\u0438", "stokta", "varastossa"),
    *("k\u00e4ytettaviss\u00e4", "rakt\u00e1ron", "instoreonly", "onlineonly", "high", "medium"),
    *("backorder", "onbackorder", "availableforbackorder", "preorder", "availablefororder"),
    *("onorder", "madetoorder", "availabletoorder"),
)
OUT_OF_STOCK = (
    *("false", "f", "no", "n", "off", "outofstock", "soldout", "unavailable", "notavailable"),
    *("nein", "non", "n\u00e3o", "nee", "nichtauflager", "nichtlieferbar", "nichtverf\u00fcgbar"),
    *("ausverkauft", "horsstock", "rupturedestock", "\u00e9puis\u00e9", "indisponible", "agotado"),
    *("sinstock", "esaurito", "nondisponibile", "esgotado", "uitverkocht", "nietopvoorraad"),
    *(
        "discontinued",
        "oos",
        "vergriffen",
        "nichtvorr\u00e4tig",
        "none",
        "empty",
        "endoflife",
        "eol",
    ),
    *("temporarilyoutofstock", "currentlyunavailable", "temporarilyunavailable", "notinstock"),
    *("brak", "niedost\u0119pny", "vyprod\u00e1no", "nen\u00edskladem", "slutilager", "slut"),
    *("udsolgt", "utsolgt", "ikkep\u00e5lager", "\u5728\u5eab\u306a\u3057", "\u7f3a\u8d27"),
    *(
        "\u58f2\u308a\u5207\u308c",
        "\u043d\u0435\u0442\u0432\u043d\u0430\u043b\u0438\u0447\u0438\u0438",
    ),
    *("t\u00fckendi", "loppu", "elfogyott", "indispon\u00edvel", "nodisponible"),
)
"""Words for stock and for yes and no, in lower case without spaces, hyphens and underscores."""
