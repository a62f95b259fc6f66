"""Column words: the names that columns of each field have in exports, those that say most first.

Names are as `looks.plain` writes them: small letters from a to z and digits alone.
"""

IDS = (
    *("itemid", "productid", "sku", "itemsku", "productsku", "variantid", "stockcode", "articleid"),
    *("productcode", "itemcode", "itemno", "articlenumber", "articleno", "artikelnummer", "asin"),
    *("artikelnr", "artikelid", "produktnummer", "produktid", "artnr", "rfrence", "referencia"),
    *(
        "codiceprodotto",
        "artikelcode",
        "variantsku",
        "variantssku",
        "productref",
        "productreference",
    ),
    *("item", "product", "article", "artikel", "id", "items", "products", "skus", "lineitems"),
)
"""The names of columns of item ids, those that say most first, as `plain` writes them."""

TITLES = (
    "produktname",
    "artikelbezeichnung",
    "artikelname",
    "dsignation",
    "libell",
    "nom",
    "nombre",
    "nome",
)
PRICES = ("pricevat", "verkaufspreis", "bruttopreis", "vk", "prix", "precio", "prezzo", "prijs")
STOCKS = (
    "inventoryquantity",
    "stockquantity",
    "bestand",
    "lagerbestand",
    "verfgbarkeit",
    "disponibilit",
)
CATALOGUE = {
    "item": IDS,
    "title": (
        "title",
        "name",
        "producttitle",
        "productname",
        "itemname",
        "bezeichnung",
        "itemtitle",
        *TITLES,
    ),
    "description": ("description", "longdescription", "shortdescription", "body", "text"),
    "brand": (
        "brand",
        "vendor",
        "manufacturer",
        "maker",
        "brandname",
        "marke",
        "hersteller",
        "marque",
    ),
    "category": (
        *("categorypath", "category", "categories", "producttype", "department"),
        *("maincategory", "categoryname", "categorytext", "warengruppe", "kategorie"),
        *(
            "catgorie",
            "categora",
            "categoria",
            "categorie",
            "productcategory",
            "googleproductcategory",
        ),
    ),
    "price": ("price", "unitprice", "regularprice", "saleprice", "listprice", "preis", *PRICES),
    "group": (
        "groupid",
        "itemgroupid",
        "parentid",
        "parentsku",
        "modelid",
        "group",
        "parent",
    ),
    "in_stock": (
        "instock",
        "stockstatus",
        "availability",
        "isinstock",
        "stock",
        "available",
        *STOCKS,
    ),
    "url": ("url", "link", "producturl", "pageurl", "productlink"),
    "image": ("image", "imageurl", "imagelink", "picture", "pictureurl", "photo", "images", "img"),
    "currency": ("currency", "currencycode"),
}
INTERACTIONS = {
    "item": IDS,
    "basket": (
        *("orderid", "basketid", "transactionid", "invoiceno", "invoice", "ordernumber"),
        *("orderno", "purchaseid", "receiptid", "order", "basket", "incrementid", "ordername"),
        *("orderreference", "invoicenumber", "invoiceid", "documentno", "receiptno", "salesorder"),
        *("checkoutid", "cartid", "bestellnummer", "auftragsnummer", "bestellnr", "belegnummer"),
        *("belegnr", "rechnungsnummer", "bestellung", "numrodecommande", "commande", "idcommande"),
        *("nmerodepedido", "pedido", "numeroordine", "ordine", "bestelnummer", "ordernr"),
    ),
    "session": ("sessionid", "session", "visitid", "usersession"),
    "user": (
        *("userid", "customerid", "visitorid", "clientid", "memberid", "householdid"),
        *("customer", "user", "email", "customeremail", "accountid", "buyerid", "userpseudoid"),
        *("customernumber", "customerno", "contactid", "kundennummer", "kundennr", "kunde"),
        *("kundenid", "client", "idclient", "cliente", "idcliente", "klantnummer", "klant"),
    ),
    "kind": ("kind", "eventtype", "eventname", "event", "action", "interaction"),
    "time": (
        *("time", "timestamp", "datetime", "eventtime", "createdat", "orderdate", "orderedat"),
        *("invoicedate", "purchasedate", "date", "ts", "ordertime", "eventtimestamp", "createdon"),
        *("createddate", "placedat", "purchasedat", "transactiondate", "orderdatetime", "created"),
        *("datecreated", "createdatdate", "orderedon", "bestelldatum", "auftragsdatum", "datum"),
        *("belegdatum", "zeitpunkt", "datedecommande", "fecha", "fechadepedido", "data"),
        *("dataordine", "besteldatum"),
    ),
    "quantity": (
        *("quantity", "qty", "units", "amount", "qtyordered", "quantitynumberint", "menge"),
        *("anzahl", "stck", "quantit", "cantidad", "quantita", "aantal"),
    ),
    "title": ("title", "itemname", "productname", "producttitle"),
}
